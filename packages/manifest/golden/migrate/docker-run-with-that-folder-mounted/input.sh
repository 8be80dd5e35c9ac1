docker run -d --name d1 -e ACCOUNT_ID=acc-1 -v /host/:/etc/mtls registry.example.com/delegate:25.09.86700
