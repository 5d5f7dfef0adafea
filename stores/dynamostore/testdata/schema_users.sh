aws dynamodb create-table --cli-input-json '{
  "TableName": "sessions",
  "AttributeDefinitions": [
    {
      "AttributeName": "id",
      "AttributeType": "B"
    },
    {
      "AttributeName": "user",
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
  },
  "GlobalSecondaryIndexes": [
    {
      "IndexName": "user",
      "KeySchema": [
        {
          "AttributeName": "user",
          "KeyType": "HASH"
        }
      ],
      "Projection": {
        "ProjectionType": "KEYS_ONLY"
      },
      "ProvisionedThroughput": {
        "ReadCapacityUnits": 10,
        "WriteCapacityUnits": 5
      }
    }
  ]
}'

aws dynamodb wait table-exists --table-name sessions

aws dynamodb update-time-to-live --cli-input-json '{
  "TableName": "sessions",
  "TimeToLiveSpecification": {
    "Enabled": true,
    "AttributeName": "expire_at"
  }
}'
