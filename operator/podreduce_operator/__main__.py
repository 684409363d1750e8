"""`python -m podreduce_operator`: the operator in a cluster, or beside one with a KUBECONFIG."""

import sys

from podreduce_operator.process.entry import main

if __name__ == "__main__":
    sys.exit(main())
