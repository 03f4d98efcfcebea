"""What everybody who speaks to a Postgres must tell apart; who connects to which is not here."""

SCHEMES = ("postgres://", "postgresql://", "postgresql+psycopg2://")
"""What an address may begin with; all mean psycopg2, which is Dagster's driver."""
_REFUSALS = (
    *("authentication failed", "does not exist", "no pg_hba.conf entry", "not permitted"),
    *("permission denied", "certificate", "no password supplied"),
)


def is_refusal(said: str) -> bool:
    """Whether a server says so to every new connection; of one that failed it gives no code."""
    return any(one in said for one in _REFUSALS)
