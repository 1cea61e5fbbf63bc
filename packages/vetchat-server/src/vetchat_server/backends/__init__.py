"""What plugs into the ports: stores, authenticators and policies. They never import one another."""
