helm upgrade -i d1 charts/harness-delegate-ng --namespace ns \
  --set managerEndpoint=https://manager.example.com,accountId=acc-1 \
  --set-literal managerEndpoint=https://old.example.com \
  --set-json 'mTLS={"secretName": "old-secret", "other": [1, 2]},tags={"a": "b,c"}' \
  --set-string delegateDockerImage=registry.example.com/delegate:25.09.86700 \
  --set delegateDockerImage=registry.example.com/delegate:latest
