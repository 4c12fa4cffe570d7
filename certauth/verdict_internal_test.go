package certauth

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every field counts: an identity to which somebody has written evidence must not be reused.
func TestRevocation_IsZeroLooksAtEveryField(t *testing.T) {
	assert.True(t, (&Revocation{}).isZero())
	for field := range reflect.TypeFor[Revocation]().Fields() {
		var written Revocation
		switch value := reflect.ValueOf(&written).Elem().FieldByIndex(field.Index); field.Type.Kind() { //nolint:exhaustive // all kinds
		case reflect.Int:
			value.SetInt(1)
		case reflect.String:
			value.SetString("x")
		case reflect.Bool:
			value.SetBool(true)
		default:
			require.Equal(t, reflect.TypeFor[time.Time](), field.Type, field.Name)
			value.Set(reflect.ValueOf(time.Unix(0, 0).UTC()))
		}
		assert.False(t, written.isZero(), field.Name)
	}
}
