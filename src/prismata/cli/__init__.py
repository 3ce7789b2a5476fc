"""Room: cli. The `prismata` command: reads input, calls one service, shows the result."""
