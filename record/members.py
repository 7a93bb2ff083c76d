"""Whose points a tenant's travellers may redeem: the members of each tenant."""

from collections.abc import Sequence

from record.pool import Pool, connected


async def is_of(pool: Pool, tenant: str, member_id: str) -> bool:
    """Whether the member is one of the tenant's."""
    async with connected(pool) as connection:
        found: bool = await connection.fetchval(
            "select exists (select from tenant_members where tenant = $1 and member_id = $2)",
            tenant,
            member_id,
        )
    return found


async def listed(pool: Pool, tenant: str) -> list[str]:
    """The tenant's members."""
    async with connected(pool) as connection:
        rows = await connection.fetch(
            "select member_id from tenant_members where tenant = $1 order by member_id", tenant
        )
    return [row["member_id"] for row in rows]


async def add(pool: Pool, tenant: str, member_ids: Sequence[str]) -> None:
    """Make these the tenant's members, beside those that it has."""
    async with connected(pool) as connection:
        await connection.execute(
            """
            insert into tenant_members (tenant, member_id) select $1, unnest($2::text[])
            on conflict do nothing
            """,
            tenant,
            member_ids,
        )


async def remove(pool: Pool, tenant: str, member_ids: Sequence[str]) -> None:
    """These are the tenant's members no more."""
    async with connected(pool) as connection:
        await connection.execute(
            "delete from tenant_members where tenant = $1 and member_id = any($2)", tenant, member_ids
        )
