"""`python -m podreduce_operator`: the operator, inside a cluster or outside it with a KUBECONFIG."""

import sys

from podreduce_operator.process.entry import main

if __name__ == "__main__":
    sys.exit(main())
