"""For peers and captures that read frames from a veth and expect what a cable would carry."""


def plain_cable(namespace, *interfaces):
    """Whoever sends on these interfaces sends finished checksums and frames no longer than the MTU."""
    for interface in interfaces:
        namespace.run(["ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off"], quiet=True)
