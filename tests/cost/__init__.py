"""What finished jobs cost an operator: requests to the store and to the API server, and memory."""
