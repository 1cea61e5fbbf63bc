"""What single parts of VetChat cost, without a network: each is a program of its own on the server's core."""
