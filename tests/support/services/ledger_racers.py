"""What the processes of `test_postgres_ledger` do, as if each were on a machine of its own.

Started as a module, with the database's address in MLOPS_DATABASE: line by line, `look` reads the
head, `go NUMBER` moves the champion there if the head still is that one, `hold` takes the model's
lock and keeps it.
"""

import os
import sys
from contextlib import ExitStack

from mlops_assets.errors import PromotionConflictError
from mlops_assets.records.promotion import Move
from resources.champion.ledger import PromotionLedger

MODEL = "shop"


def main(who: str) -> None:
    ledger, head = PromotionLedger(database=os.environ["MLOPS_DATABASE"]), None
    with ExitStack() as held:
        for line in sys.stdin:
            verb, _, number = line.strip().partition(" ")
            if verb == "look":
                head = ledger.head(MODEL)
            elif verb == "hold":
                held.enter_context(ledger.exclusive(MODEL))
            else:
                try:
                    move = Move(model=MODEL, to_version=int(number), who=who, why="gate")
                    ledger.append(move, head)
                except PromotionConflictError:
                    verb = "lost"
                else:
                    verb = "won"
            sys.stdout.write(f"{verb}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
