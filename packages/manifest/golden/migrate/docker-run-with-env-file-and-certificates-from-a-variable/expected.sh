docker run -d --name d1 --env-file ./delegate.env -e MANAGER_HOST_AND_PORT=https://blue.agent.example.com \
  -v "$CERTS/client.crt:/etc/mtls/client.crt:ro" -v /host/client.key:/etc/mtls/client.key:ro \
  -e DELEGATE_CLIENT_CERTIFICATE_PATH=/etc/mtls/client.crt \
  -e DELEGATE_CLIENT_CERTIFICATE_KEY_PATH=/etc/mtls/client.key \
  -e GRPC_AUTHORITY_MODIFICATION_DISABLED=true \
  registry.example.com/delegate:25.09.86700
