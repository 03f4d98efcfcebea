"""What is launched by the clock."""

import dagster as dg


def cron_schedules(job_name: str, cron: str | None) -> list[dg.ScheduleDefinition]:
    """`<job>_schedule`, in UTC; none without a cron expression."""
    if cron is None:
        return []
    schedule = dg.ScheduleDefinition(
        name=f"{job_name}_schedule",
        job_name=job_name,
        cron_schedule=cron,
        execution_timezone="UTC",
        tags={"mlops/trigger": "schedule"},
    )
    return [schedule]
