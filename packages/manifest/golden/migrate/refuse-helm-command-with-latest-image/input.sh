# install
helm repo update && helm upgrade -i d1 charts/harness-delegate-ng --namespace ns \
  --set delegateName=d1,accountId=acc-1 \
  --set delegateToken="ZXhhbXBsZQ==" \
  --set managerEndpoint="https://manager.example.com" \
  --set delegateDockerImage=registry.example.com/delegate:latest
