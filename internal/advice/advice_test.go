package advice_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

func TestIn_FindsTheFirstStepAndTheClass(t *testing.T) {
	class := errors.New("class")
	err := advice.New("do this", class, "%d of %s", 1, "two")
	assert.Equal(t, "class: 1 of two", err.Error())
	assert.ErrorIs(t, err, class)
	assert.Equal(t, "do this", advice.In(fmt.Errorf("around: %w", err)))
	assert.Equal(t, "do this", advice.In(errors.Join(class, err, advice.New("not this", class, "later"))))
	assert.Empty(t, advice.In(class))
	assert.Empty(t, advice.In(nil))
}
