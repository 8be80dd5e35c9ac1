# Delegate d1 of the account acc-1.
# The Secret "certs" must exist in the namespace "harness-delegate-ng" first: kubectl create secret generic certs -n harness-delegate-ng --from-file=client.crt --from-file=client.key
helm upgrade --install d1 harness-delegate-ng \
  --namespace harness-delegate-ng --create-namespace \
  --set-string accountId=acc-1 \
  --set-string delegateName=d1 \
  --set-string existingDelegateToken=d1-token \
  --set-string managerEndpoint=https://blue.agent.example.com \
  --set-string delegateDockerImage=registry.example.com/delegate:25.09.86700 \
  --set replicas=1 \
  --set cpu=0.5 \
  --set memory=2048 \
  --set-string mTLS.secretName=certs \
  --set upgrader.enabled=false \
  --set-json 'custom_envs=[{"name":"DELEGATE_TAGS","value":"a,b"}]'
