helm upgrade -i d1 charts/harness-delegate-ng --set mTLS.secretName=d1 --set-json mTLS=null
