"""A model's champion moved by hand, and its endpoint brought back to it.

The one implementation behind the verbs of the command line and the jobs of `jobs/promotion.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import PromotionRefusedError
from mlops_assets.records.promotion import HandMove, Move
from mlops_assets.records.serving import Endpoint
from resources.champion.aliases import follow, promote
from resources.champion.ledger import PromotionLedger, standing
from resources.endpoints.deployer import EndpointDeployer, nothing
from resources.tracking.tracking import MLflowTracking


@dataclass(frozen=True)
class Promotions:
    """The champion of one model, with all that must agree on it.

    What was never deployed, has lost its files or cannot be served, is a `DeploymentError`; that
    somebody moved the champion in the meantime, a `PromotionConflictError`.
    """

    model: str
    settings: DeploymentSettings
    tracking: MLflowTracking
    ledger: PromotionLedger
    deployment: EndpointDeployer
    require_wanted: Callable[[], None] = nothing
    """As for `resources.champion.aliases.promote`."""

    def roll_back(self, to: int | None, why: str, who: str) -> HandMove:
        """Serve version `to`, by default the champion before this one; `why` may be empty.

        Where there is none before, that is a `PromotionRefusedError`.
        """
        if to is None:
            versions = standing(self.ledger.history(self.model))
            if len(versions) < 2:
                raise PromotionRefusedError(
                    f"{self.model} has no earlier champion; name a version by --to"
                )
            to = versions[-2]
        return self._move(to, f"rollback: {why}" if why else "rollback", who)

    def promote(self, version: int, why: str, who: str) -> HandMove:
        """Serve a version that was deployed before, whatever the gate said."""
        return self._move(version, f"manual: {why}", who)

    def restore(self) -> Endpoint | None:
        """Make the endpoint and the aliases follow the ledger; None if the endpoint did.

        It is the ledger's champion that serves again, from its kept and checked files, whatever was
        trained, evaluated or refused since. A process that was killed between the swap of the
        endpoint and its row in the ledger leaves another version live than the one on record, or
        about to be.
        """
        with self.ledger.exclusive(self.model):
            head = self.ledger.head(self.model)
            if head is None:
                return None
            before = self.deployment.status(self.model)
            # Whatever answers now: its workers may be about to load what a killed process wrote.
            endpoint = self.deployment.redeploy(self.model, head.to_version, self.settings)
            follow(self.model, head, self.tracking)  # last: users wait, the registry may be down
            changed = before is None or before.generation != endpoint.generation
            return endpoint if changed else None

    def _move(self, version: int, why: str, who: str) -> HandMove:
        head = self.ledger.head(self.model)
        move = Move(model=self.model, to_version=version, who=who, why=why)
        with promote(
            move,
            head,
            tracking=self.tracking,
            ledger=self.ledger,
            require_wanted=self.require_wanted,
        ) as confirm:
            endpoint = self.deployment.redeploy(self.model, version, self.settings, confirm=confirm)
        return HandMove(endpoint=endpoint, before=head.to_version if head else None)
