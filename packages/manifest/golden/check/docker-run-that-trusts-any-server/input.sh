docker run -d --cpus=1 --memory=2g -u root \
  -e DELEGATE_NAME=d1 \
  -e TRUST_ALL_CERTIFICATES=true \
  -e DELEGATE_TYPE="DOCKER" -e ACCOUNT_ID=acc-1 \
  -e DELEGATE_TOKEN=ZXhhbXBsZQ== \
  -e "LOG_STREAMING_SERVICE_URL=https://manager.example.com/log-service/" \
  -e MANAGER_HOST_AND_PORT=https://manager.example.com registry.example.com/delegate:25.09.86700
