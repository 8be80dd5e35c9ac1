# install
helm repo update && helm upgrade -i d1 charts/harness-delegate-ng --namespace ns \
  --set delegateName=d1,accountId=acc-1 \
  --set delegateToken="ZXhhbXBsZQ==" \
  --set managerEndpoint="https://blue.agent.example.com" \
  --set delegateDockerImage=registry.example.com/delegate:25.09.86700 \
  --set mTLS.secretName=d1-client-certificate
