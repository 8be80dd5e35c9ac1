docker run -d -e DELEGATE_NAME=d1 -e MANAGER_HOST_AND_PORT=https://manager.example.com harness/delegate:$TAG
