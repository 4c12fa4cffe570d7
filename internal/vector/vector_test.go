package vector_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/vector"
)

func write(t *testing.T, content string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "one.txtar"), []byte(content), 0o600))
	return folder
}

func TestLoad_ReadsFieldsHeadersAndFiles(t *testing.T) {
	cases, err := vector.Load(write(t, "expect:  accepted\ntime: 2026-03-01T12:00:00Z\n\n-- headers --\nX-A:  b: c \nX-A:\n\n-- roots.pem --\nline 1\n-- not a marker\n"))
	require.NoError(t, err)
	require.Len(t, cases, 1)
	one := cases[0]
	assert.Equal(t, "one", one.Name)
	assert.Equal(t, map[string]string{"expect": "accepted", "time": "2026-03-01T12:00:00Z"}, one.Fields)
	assert.Equal(t, "line 1\n-- not a marker\n", one.Files["roots.pem"])
	at, err := one.Time()
	require.NoError(t, err)
	assert.True(t, at.Equal(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
	headers, err := one.Headers()
	require.NoError(t, err)
	assert.Equal(t, [][2]string{{"X-A", "b: c"}, {"X-A", ""}}, headers)
}

func TestLoad_MistakesAreErrors(t *testing.T) {
	for name, content := range map[string]string{
		"a line without a colon": "expect\n",
		"a field twice":          "expect: a\nexpect: b\n",
		"a section twice":        "expect: a\n-- x --\n-- x --\n",
	} {
		_, err := vector.Load(write(t, content))
		assert.Error(t, err, name)
	}
	_, err := vector.Load(t.TempDir())
	assert.Error(t, err, "a folder without cases must be an error, because it would test nothing")
	_, err = vector.Load("[")
	assert.Error(t, err)
	cases, err := vector.Load(write(t, "time: noon\n-- headers --\nno colon\n"))
	require.NoError(t, err)
	_, err = cases[0].Headers()
	assert.Error(t, err)
	_, err = cases[0].Time()
	assert.Error(t, err)
}
