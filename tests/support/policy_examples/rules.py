"""All rules. Read by the unit tests of decide, and by the mutants: a wrong policy answers one of these differently."""

from tests.support.policy_examples.bad_records import BAD_RECORDS
from tests.support.policy_examples.cleanup import CLEANUP
from tests.support.policy_examples.endings import ENDINGS
from tests.support.policy_examples.failures import FAILURES
from tests.support.policy_examples.faults import FAULTS
from tests.support.policy_examples.gangs import GANGS
from tests.support.policy_examples.kept_attempts import KEPT_ATTEMPTS
from tests.support.policy_examples.maps import MAPS
from tests.support.policy_examples.packing import PACKING
from tests.support.policy_examples.post_mortem import POST_MORTEM
from tests.support.policy_examples.reduces import REDUCES
from tests.support.policy_examples.replacement import REPLACEMENT
from tests.support.policy_examples.speculation import SPECULATION
from tests.support.policy_examples.start import START
from tests.support.policy_examples.stuck_pods import STUCK_PODS
from tests.support.policy_examples.suspension import SUSPENSION
from tests.support.policy_examples.waiting_pods import WAITING_PODS

__all__ = ["RULES"]

RULES = (
    *START,
    *REPLACEMENT,
    *PACKING,
    *MAPS,
    *REDUCES,
    *FAILURES,
    *WAITING_PODS,
    *STUCK_PODS,
    *SPECULATION,
    *GANGS,
    *SUSPENSION,
    *BAD_RECORDS,
    *FAULTS,
    *ENDINGS,
    *CLEANUP,
    *POST_MORTEM,
    *KEPT_ATTEMPTS,
)
