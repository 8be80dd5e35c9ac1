helm upgrade -i d1 charts/harness-delegate-ng --set-json "{\"delegateDockerImage\": \"registry.example.com/delegate:latest\"}"
