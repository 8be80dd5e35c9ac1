docker run --rm -it --env=DELEGATE_NAME=d1 --env ACCOUNT_ID=acc-1 --env MANAGER_HOST_AND_PORT=https://manager.example.com registry.example.com/delegate:25.09.86700
