"""What a server of one's own shows of tapemeter: plain ASGI, without a framework."""
