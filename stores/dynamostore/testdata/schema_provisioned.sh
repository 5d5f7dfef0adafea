aws dynamodb create-table --cli-input-json '{
  "TableName": "web.sessions",
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
  "BillingMode": "PROVISIONED",
  "ProvisionedThroughput": {
    "ReadCapacityUnits": 10,
    "WriteCapacityUnits": 5
  }
}'
