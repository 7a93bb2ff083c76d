"""The points partner's Cypher, a query a verb.

The engine runs one query that writes after another, so that none comes between another's reading and its
writing; a query that fails changes nothing.

A row that takes part has a note and a seq, and its untold is the seq that others are to be told of. On a row
without them, `seq + 1` is null, which sets nothing.
"""

_RESERVATION = """
RETURN known.key, known.reference,
       CASE WHEN known.status = 'held' AND known.expires_at <= $now THEN 'expired' ELSE known.status END,
       known.amount_minor, known.currency, known.expires_at, known.member_id, known.redeem,
       CASE WHEN known.note IS NOT NULL THEN [known.status, known.note, known.seq, known.refusal] END
"""

_CHANGED = "known.seq = known.seq + 1, known.untold = known.seq + 1"

# A row's first note stays.
_TAKE_NOTE = """
WHERE known.note IS NULL
SET known.note = $note, known.seq = 1, known.untold = 1
"""

# `taken` is what each member gives: the own points first, then those of the others in the order of their
# ids, as far as what is wanted goes. A hold that finds too few makes no node.
HOLD = (
    """
MATCH (own:Member {id: $member_id})-[:IN]->(:Household)<-[:IN]-(member:Member)
OPTIONAL MATCH (known:Reservation {key: $key})
WITH member, known ORDER BY member.id <> $member_id, member.id
WITH known, collect(member) AS members, collect(member.balance - member.held) AS free
WHERE known IS NULL AND reduce(sum = 0, points IN free | sum + points) >= $redeem
CREATE (made:Reservation {
    key: $key, status: 'held', reference: $reference, amount_minor: -$redeem, currency: 'JPY',
    expires_at: $now + $hold_ms, member_id: $member_id, redeem: $redeem,
    note: $note, seq: CASE WHEN $note IS NOT NULL THEN 1 END, untold: CASE WHEN $note IS NOT NULL THEN 1 END})
WITH made, members, free
UNWIND range(0, size(members) - 1) AS place
WITH made, members[place] AS member, free[place] AS points,
     $redeem - reduce(sum = 0, before IN free[0..place] | sum + before) AS wanted
WITH made, member, CASE WHEN wanted < points THEN wanted ELSE points END AS taken
WHERE taken > 0
CREATE (made)-[:DRAWS {points: taken}]->(member)
SET member.held = member.held + taken
WITH DISTINCT made AS known
"""
    + _RESERVATION
)

CONFIRM = (
    f"""
MATCH (known:Reservation {{key: $key}})
WHERE known.status = 'held' AND known.expires_at > $now
SET known.status = 'confirmed', {_CHANGED}
WITH known
MATCH (known)-[draws:DRAWS]->(member:Member)
SET member.held = member.held - draws.points, member.balance = member.balance - draws.points
WITH DISTINCT known
"""
    + _RESERVATION
)

# Makes the closed marker of a key never seen; what was held or confirmed goes back to its members.
RELEASE = """
MERGE (known:Reservation {key: $key})
ON CREATE SET known.status = 'released'
WITH known, known.status AS before, coalesce(known.note, $note) AS note
WHERE before <> 'released' OR (known.note IS NULL AND note IS NOT NULL)
WITH known, before, note, CASE WHEN note IS NOT NULL THEN coalesce(known.seq, 0) + 1 END AS seq
SET known.status = 'released', known.note = note, known.seq = seq, known.untold = seq
WITH known, before
MATCH (known)-[draws:DRAWS]->(member:Member)
WHERE before IN ['held', 'confirmed']
SET member.held = member.held - CASE before WHEN 'held' THEN draws.points ELSE 0 END,
    member.balance = member.balance + CASE before WHEN 'confirmed' THEN draws.points ELSE 0 END
"""

REFUSE = (
    """
MERGE (known:Reservation {key: $key})
ON CREATE SET known.status = 'released', known.refusal = $refusal
WITH known"""
    + _TAKE_NOTE
)

# Whose points a settled redemption has drawn on is forgotten; what is left of the points stays.
ERASE = """
MATCH (known:Reservation {key: $key})
SET known.note = $note, known.refusal = $refusal,
    known.member_id = CASE WHEN known.member_id IS NOT NULL THEN $erased END
WITH known
MATCH (known)-[draws:DRAWS]->(:Member)
WHERE known.status <> 'held'
DELETE draws
"""

TAKE_NOTE = "MATCH (known:Reservation {key: $key})" + _TAKE_NOTE

_EXPIRE = f"""
WHERE known.status = 'held' AND known.expires_at <= $now
WITH known LIMIT $limit
SET known.status = 'expired', {_CHANGED}
WITH known
MATCH (known)-[draws:DRAWS]->(member:Member)
WITH collect({{member: member, points: draws.points}}) AS freed, count(DISTINCT known) AS expired
UNWIND freed AS part
WITH part.member AS member, part.points AS points, expired
SET member.held = member.held - points
RETURN DISTINCT expired
"""

EXPIRE = "MATCH (known:Reservation)" + _EXPIRE

EXPIRE_ONE = "MATCH (known:Reservation {key: $key})" + _EXPIRE

FIND = "MATCH (known:Reservation {key: $key})" + _RESERVATION

LIST = "MATCH (known:Reservation) WHERE known.key > $after" + _RESERVATION + "ORDER BY known.key LIMIT $limit"

LIST_OF_STATUS = (
    "MATCH (known:Reservation {status: $status}) WHERE known.key > $after"
    + _RESERVATION
    + "ORDER BY known.key LIMIT $limit"
)

UNTOLD = "MATCH (known:Reservation) WHERE known.untold > 0" + _RESERVATION + "LIMIT $limit"

# `$told` is a list of [key, seq]. A row that has changed since then stays untold.
MARK_TOLD = """
UNWIND $told AS entry
MATCH (known:Reservation {key: entry[0]})
WHERE known.untold = entry[1]
SET known.untold = NULL
"""

# The first word of a source stays.
ARRIVE = """
MERGE (arrived:Heard {key: $key, source: $source})
ON CREATE SET arrived.word = $word
WITH arrived.key AS key
MATCH (heard:Heard {key: key})
RETURN heard.source, heard.word
"""

MEMBER = """
MATCH (member:Member {id: $member_id}) RETURN member.id, member.balance, member.held, member.opening
"""

MEMBERS = """
MATCH (member:Member) WHERE member.id > $after
RETURN member.id, member.balance, member.held, member.opening ORDER BY member.id LIMIT $limit
"""
