helm upgrade -i d1 charts/harness-delegate-ng \
  --set-file managerEndpoint=manager.txt \
  --set-file=delegateDockerImage=image.txt --set managerEndpoint=https://manager.example.com
