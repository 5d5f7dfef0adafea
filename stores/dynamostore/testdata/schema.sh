aws dynamodb create-table --cli-input-json '{
  "TableName": "sessions",
  "AttributeDefinitions": [
    {
      "AttributeName": "id",
      "AttributeType": "B"
    }
  ],
  "KeySchema": [
    {
      "AttributeName": "id",
      "KeyType": "HASH"
    }
  ],
  "BillingMode": "PAY_PER_REQUEST"
}'

aws dynamodb wait table-exists --table-name sessions

aws dynamodb update-time-to-live --cli-input-json '{
  "TableName": "sessions",
  "TimeToLiveSpecification": {
    "Enabled": true,
    "AttributeName": "expire_at"
  }
}'
