# Delegate d1 of the account acc-1.
# A file mounted by itself is not seen again when it is replaced: restart the delegate after renewing the certificate.
# The upgrader of Sallyport takes the client certificate from these variables; one of another make has none in Docker, and a STRICT account refuses it.
# Set DELEGATE_TOKEN and UPGRADER_TOKEN in the environment before you run it.
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
  -v /srv/client.crt:/etc/mtls/client.crt:ro \
  -v /srv/client.key:/etc/mtls/client.key:ro \
  registry.example.com/delegate:25.09.86700

docker run -d --name d1-upgrader --restart unless-stopped \
  -e ACCOUNT_ID=acc-1 \
  -e MANAGER_HOST_AND_PORT=https://blue.agent.example.com \
  -e UPGRADER_WORKLOAD_NAME=d1 \
  -e 'SCHEDULE=0 */1 * * *' \
  -e UPGRADER_CLIENT_CERTIFICATE_PATH=/etc/mtls/client.crt \
  -e UPGRADER_CLIENT_CERTIFICATE_KEY_PATH=/etc/mtls/client.key \
  -e UPGRADER_TOKEN \
  -v /var/run/docker.sock:/var/run/docker.sock \
  -v /srv/client.crt:/etc/mtls/client.crt:ro \
  -v /srv/client.key:/etc/mtls/client.key:ro \
  registry.example.com/upgrader:1.2.3
