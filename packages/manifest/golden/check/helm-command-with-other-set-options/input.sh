helm upgrade -i d1 charts/harness-delegate-ng \
  --set-json 'mTLS={"secretName": "d1"}' \
  --set managerEndpoint=https://blue.agent.example.com \
  --set-literal managerEndpoint=https://manager.example.com \
  --set-literal delegateDockerImage=registry.example.com/delegate:latest
