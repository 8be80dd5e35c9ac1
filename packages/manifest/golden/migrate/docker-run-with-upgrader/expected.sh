docker run -d --cpus=1 --memory=2g -u root \
  -e DELEGATE_NAME=d1 \
  -e NEXT_GEN="true" \
  -e DELEGATE_TYPE="DOCKER" -e ACCOUNT_ID=acc-1 \
  -e DELEGATE_TOKEN=ZXhhbXBsZQ== \
  -e "LOG_STREAMING_SERVICE_URL=https://blue.agent.example.com/log-service/" \
  -e MANAGER_HOST_AND_PORT=https://blue.agent.example.com \
  -e DELEGATE_CLIENT_CERTIFICATE_PATH=/etc/mtls/client.crt \
  -e DELEGATE_CLIENT_CERTIFICATE_KEY_PATH=/etc/mtls/client.key \
  -e GRPC_AUTHORITY_MODIFICATION_DISABLED=true \
  -v /srv/mtls/client.crt:/etc/mtls/client.crt:ro \
  -v /srv/mtls/client.key:/etc/mtls/client.key:ro registry.example.com/delegate:25.09.86700
docker run -d -e ACCOUNT_ID=acc-1 -e MANAGER_HOST_AND_PORT=https://blue.agent.example.com -e UPGRADER_TOKEN=$TOKEN -v /var/run/docker.sock:/var/run/docker.sock registry.example.com/upgrader:latest
