"""Input and output: sockets, files, clocks. Apart from the client and the CLI, only this folder uses asyncio."""
