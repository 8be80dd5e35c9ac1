helm upgrade -i d1 charts/harness-delegate-ng \
  --set-literal delegateDockerImage=registry.example.com/delegate:latest \
  --set delegateDockerImage=registry.example.com/delegate:25.09.86700
