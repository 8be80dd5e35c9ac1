helm install d1 harness-delegate-ng --set delegateName=d1 --set managerEndpoint=https://blue.agent.example.com --set mTLS.secretName=d1-client-certificate -f my.yaml
