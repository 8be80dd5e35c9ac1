helm install d1 harness-delegate-ng --set delegateName=d1 --set managerEndpoint=https://manager.example.com -f my.yaml
