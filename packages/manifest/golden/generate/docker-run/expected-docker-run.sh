# Delegate d1 of the account acc-1.
# A file mounted by itself is not seen again when it is replaced: restart the delegate after renewing the certificate.
# Set DELEGATE_TOKEN in the environment before you run it.
docker run -d --name d1 --restart unless-stopped --stop-timeout 600 \
  --cpus=0.5 --memory=2048m -u root \
  -e ACCOUNT_ID=acc-1 \
  -e MANAGER_HOST_AND_PORT=https://blue.agent.example.com \
  -e DELEGATE_NAME=d1 \
  -e DELEGATE_TYPE=DOCKER \
  -e INIT_SCRIPT= \
  -e DELEGATE_DESCRIPTION= \
  -e DELEGATE_TAGS= \
  -e NEXT_GEN=true \
  -e CLIENT_TOOLS_DOWNLOAD_DISABLED=true \
  -e LOG_STREAMING_SERVICE_URL=https://blue.agent.example.com/log-service/ \
  -e DYNAMIC_REQUEST_HANDLING=false \
  -e DELEGATE_CLIENT_CERTIFICATE_PATH=/etc/mtls/client.crt \
  -e DELEGATE_CLIENT_CERTIFICATE_KEY_PATH=/etc/mtls/client.key \
  -e GRPC_AUTHORITY_MODIFICATION_DISABLED=true \
  -e DELEGATE_TOKEN \
  -v '/srv/my certs/client.crt:/etc/mtls/client.crt:ro' \
  -v '/srv/my certs/client.key:/etc/mtls/client.key:ro' \
  registry.example.com/delegate:25.09.86700
