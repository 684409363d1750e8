"""Docker and kind for the tests: the machine's own where it has both, else an engine and a node image made here.

Rule: the engine lives in network, mount and process namespaces of its own, so that its firewall rules, mounts and
containers end with it. Whatever it takes of the machine besides is written down beforehand and given back.
"""
