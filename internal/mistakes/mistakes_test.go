package mistakes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
)

func TestFlatten_TakesJoinsApartAndDropsNil(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	assert.Equal(t, []error{a, b, c}, mistakes.Flatten(a, nil, errors.Join(b, errors.Join(nil, c))))
	assert.Empty(t, mistakes.Flatten(nil, nil))
}

func TestPrefix_StandsInFrontOfEachAndKeepsTheCause(t *testing.T) {
	found := mistakes.Prefix("From: ", errors.Join(errors.New("a"), fmt.Errorf("b: %w", fs.ErrNotExist)), nil)
	assert.EqualError(t, found[0], "From: a")
	assert.EqualError(t, found[1], "From: b: file does not exist")
	assert.ErrorIs(t, found[1], fs.ErrNotExist)
	assert.Empty(t, mistakes.Prefix("From: ", nil))
}
