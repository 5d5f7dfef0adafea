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

// codeInvalid is the code of errors for invalid requests.
const codeInvalid = "ValidationException"

// failure returns the error of an operation. If the context has ended, the error matches the
// context's error, whatever the SDK returned.
func (t *table) failure(ctx context.Context, op string, err error) error {
	var missing *types.ResourceNotFoundException
	var api smithy.APIError
	ended := bound.Ended(ctx, err)
	switch {
	case ended != nil && !errors.Is(err, ended):
		return fmt.Errorf("dynamostore: %s: %w: %w", op, ended, err)
	case errors.As(err, &missing):
		return fmt.Errorf("dynamostore: %s: %w: table %s: %s: %w", op, driver.ErrNoSchema, t.name,
			schemaFix, err)
	case isThrottled(err):
		return fmt.Errorf("dynamostore: %s: throttled on every attempt of the client: give table "+
			"%s more capacity: %w", op, t.name, err)
	case errors.As(err, &api) && api.ErrorCode() == codeInvalid && api.ErrorMessage() != "":
		// Drop the message, because it may quote an id or data.
		return fmt.Errorf("dynamostore: %s: %w", op, &smithy.GenericAPIError{
			Code:    api.ErrorCode(),
			Message: "DynamoDB refuses the request",
			Fault:   api.ErrorFault(),
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

// isItemTooLarge checks the message, because all invalid requests have the same code.
func isItemTooLarge(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != codeInvalid {
		return false
	}
	message := api.ErrorMessage()
	return strings.Contains(message, "size") && strings.Contains(message, "exceeded")
}
