package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
)

// failure is the error of an operation. Where the context has ended it says so, whatever the SDK
// made of that.
func (t *table) failure(ctx context.Context, op string, err error) error {
	var missing *types.ResourceNotFoundException
	var invalid smithy.APIError
	ended := bound.Ended(ctx, err)
	switch {
	case ended != nil && !errors.Is(err, ended):
		return fmt.Errorf("dynamostore: %s: %w: %w", op, ended, err)
	case errors.As(err, &missing):
		return fmt.Errorf("dynamostore: %s: %w: table %s: %s: %w", op, driver.ErrNoSchema, t.name,
			schemaFix, err)
	case isThrottled(err):
		return fmt.Errorf("dynamostore: %s: throttled, after every attempt that the client is "+
			"configured to make: give table %s more capacity: %w", op, t.name, err)
	case errors.As(err, &invalid) && invalid.ErrorCode() == "ValidationException" &&
		invalid.ErrorMessage() != "":
		// What is invalid may be quoted.
		return fmt.Errorf("dynamostore: %s: %w", op, &smithy.GenericAPIError{
			Code: invalid.ErrorCode(), Message: "DynamoDB refuses the request", Fault: invalid.ErrorFault(),
		})
	}
	return fmt.Errorf("dynamostore: %s: %w", op, err)
}

func isThrottled(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded":
		return true
	}
	return false
}

// isItemTooLarge goes by the message: the code is that of every other invalid request.
func isItemTooLarge(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationException" &&
		strings.Contains(api.ErrorMessage(), "size") && strings.Contains(api.ErrorMessage(), "exceeded")
}
