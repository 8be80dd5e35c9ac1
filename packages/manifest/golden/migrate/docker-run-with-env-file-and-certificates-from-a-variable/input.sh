docker run -d --name d1 --env-file ./delegate.env -e MANAGER_HOST_AND_PORT=https://manager.example.com \
  -v "$CERTS/client.crt:/etc/mtls/client.crt:ro" -v /old/client.key:/etc/mtls/client.key:ro \
  registry.example.com/delegate:25.09.86700
