"""Every verb of `mlops`, in the groups of its help."""

from mlops_assets.cli.parser import looking, making, operating

GROUPS = (*making.GROUPS, *looking.GROUPS, *operating.GROUPS)
VERBS = {verb.name: verb for group in GROUPS for verb in group.verbs}
