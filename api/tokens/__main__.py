"""`python -m api.tokens` makes, lists and revokes tokens, in the database of DATABASE_URL.

It also says which members are a tenant's.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from config.settings import settings
from record import members
from record.pool import Pool, RecordAway, open_pool
from serving.fields import Identifier

DEFAULT_TENANT = "default"
MAX_DAYS = 3650
USUAL_DAYS = 90

_identifier: TypeAdapter[str] = TypeAdapter(Identifier)
_file: TypeAdapter[dict[tokens.First, str]] = TypeAdapter(dict[tokens.First, str])


class BadInput(Exception):
    """The command cannot do what it was asked for. The message says why and what to do."""


def _name(text: str) -> str:
    try:
        return _identifier.validate_python(text)
    except ValidationError as error:
        raise argparse.ArgumentTypeError(error.errors()[0]["msg"]) from None


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_DAYS):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MAX_DAYS}")
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m api.tokens", description=__doc__)
    commands = parser.add_subparsers(required=True)

    make = commands.add_parser("make", help="make a token and print it, this once")
    make.add_argument("--tenant", type=_name, required=True, help="whose trips it reaches")
    make.add_argument(
        "--scope",
        required=True,
        action="append",
        choices=[scope.value for scope in Scope],
        help="what it may do; give it again for another one besides",
    )
    make.add_argument("--name", type=_name, required=True, help="who or what will hold it")
    make.add_argument(
        "--days",
        type=_days,
        default=USUAL_DAYS,
        help=f"how many days it is valid; {USUAL_DAYS} if not given",
    )
    make.set_defaults(run=_make)

    listed = commands.add_parser("list", help=f"the last {tokens.MAX_LISTED} tokens, newest first")
    listed.add_argument("--tenant", type=_name, help="this tenant's alone")
    listed.set_defaults(run=_list)

    revoke = commands.add_parser("revoke", help="refuse a token from now on, everywhere within a second")
    revoke.add_argument("token_id", help="the part of the token before its dot")
    revoke.set_defaults(run=_revoke)

    mapped = commands.add_parser("members", help="whose points a tenant may redeem, if TRIPS_MEMBERS is own")
    mapped.add_argument("--tenant", type=_name, required=True)
    mapped.add_argument("--add", type=_name, nargs="+", default=[], metavar="MEMBER_ID")
    mapped.add_argument("--remove", type=_name, nargs="+", default=[], metavar="MEMBER_ID")
    mapped.set_defaults(run=_members)

    register = commands.add_parser("register", help="store the hashes of a tokens.json")
    register.add_argument("file", type=Path)
    register.set_defaults(run=_register)
    return parser.parse_args()


async def _make(pool: Pool, chosen: argparse.Namespace) -> None:
    scopes = frozenset(Scope(scope) for scope in chosen.scope)
    print(await tokens.make(pool, Caller(chosen.tenant, scopes, chosen.name), chosen.days))


async def _list(pool: Pool, chosen: argparse.Namespace) -> None:
    for token in await tokens.list_tokens(pool, chosen.tenant):
        print(_shown(token))


def _shown(token: tokens.StoredToken) -> str:
    scopes = ",".join(scope for scope in Scope if scope in token.scopes)
    words = [token.token_id, token.tenant, scopes, token.name, f"made {token.created_at:%Y-%m-%d}"]
    if token.expires_at:
        words.append(f"expires {token.expires_at:%Y-%m-%d %H:%M}")
    if token.revoked_at:
        words.append(f"revoked {token.revoked_at:%Y-%m-%d %H:%M}")
    return "  ".join(words)


async def _revoke(pool: Pool, chosen: argparse.Namespace) -> None:
    if not await tokens.revoke(pool, chosen.token_id):
        raise BadInput("no token has this id; `python -m api.tokens list` shows the ids")


async def _members(pool: Pool, chosen: argparse.Namespace) -> None:
    await members.add(pool, chosen.tenant, chosen.add)
    await members.remove(pool, chosen.tenant, chosen.remove)
    for member_id in await members.listed(pool, chosen.tenant):
        print(member_id)


async def _register(pool: Pool, chosen: argparse.Namespace) -> None:
    for name, token in _read(chosen.file).items():
        try:
            await tokens.register(pool, token, Caller(DEFAULT_TENANT, tokens.FIRST_TOKENS[name], name))
        except tokens.TokenFormatError:
            raise BadInput(
                f"{chosen.file}: {name} is no token; remove the file to have new ones made"
            ) from None


def _read(path: Path) -> dict[tokens.First, str]:
    """The tokens of a file of the form `{"traveller": "…", "operator": "…"}`. Raises BadInput."""
    try:
        return _file.validate_json(path.read_text())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except ValueError:  # its text may hold a token, so it is not shown
        raise BadInput(f'{path}: is not of the form {{"traveller": "…", "operator": "…"}}') from None


async def _run(
    command: Callable[[Pool, argparse.Namespace], Awaitable[None]], chosen: argparse.Namespace
) -> None:
    async with open_pool(settings().listening_url, size=1) as pool:
        await command(pool, chosen)


def main() -> int:
    """Run the command. Returns 2 for a bad request, 1 if PostgreSQL is away."""
    chosen = _arguments()
    try:
        asyncio.run(_run(chosen.run, chosen))
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RecordAway as error:
        print(f"error: PostgreSQL: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
