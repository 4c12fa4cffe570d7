package fiberauth_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/fiberauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// closer is a value of a request, which fasthttp closes at its end (RequestCtx.SetUserValue).
type closer chan struct{}

func (c closer) Close() error {
	close(c)
	return nil
}

// finding S59: fasthttp gives up what a request holds, such as values with a Close method, if a connection that is taken
// over is to be closed, as it was after each of these requests.
func TestHandler_ValuesOfARequestAreClosed(t *testing.T) {
	p := newPartner(t)
	lines := "X-Client-Cert: " + p.forward(t, p.client).Get("X-Client-Cert") + "\r\nX-Client-Verify: SUCCESS\r\n"
	values := make(chan closer, 1)
	app := fiber.New(whole)
	app.Use("*", func(c fiber.Ctx) error {
		value := make(closer)
		c.Locals("value", value)
		values <- value
		return c.Next()
	}, fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
	app.Get("/", func(c fiber.Ctx) error { return c.SendString("orders") })
	app.Get("/late", func(c fiber.Ctx) error {
		c.Set("Connection", "close")
		return fiber.ErrTeapot
	})
	app.Get("/events", func(c fiber.Ctx) error {
		c.Set("Connection", "keep-alive")
		return nil
	})
	url := serve(t, app)
	for request, status := range map[string]string{
		"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + lines:     "200",
		"GET /late HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + lines: "418",
		"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n":             "401",
		"GET / HTTP/1.0\r\n" + lines:        "200",
		"GET /events HTTP/1.0\r\n" + lines:  "200",
		"GET / HTTP/1.0\r\n":                "401",
		"GET / HTTP/1.1\r\nHost: other\r\n": "400",
		"CONNECT / HTTP/1.1\r\n":            "401",
	} {
		conn, err := net.Dial("tcp", url[len("http://"):])
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = io.WriteString(conn, request+"Host: app\r\n\r\n")
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		assert.Equal(t, status, string(answer[len("HTTP/1.1 "):][:3]))
		assert.Equal(t, 1, strings.Count(string(answer), "\r\nConnection: close\r\n"), "%s", answer)
		assert.NotContains(t, string(answer), "keep-alive", "finding N149: fasthttp keeps the line of a handler")
		select {
		case <-<-values:
		case <-time.After(30 * time.Second):
			assert.Fail(t, "the value was not closed", request)
		}
	}
}

// finding S59: so did the temporary files of forms stay, of those that nobody let through too.
func TestHandler_FilesOfFormsAreRemoved(t *testing.T) {
	p := newPartner(t)
	lines := "X-Client-Cert: " + p.forward(t, p.client).Get("X-Client-Cert") + "\r\nX-Client-Verify: SUCCESS\r\n"
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	app := fiber.New(fiber.Config{DisableKeepalive: true, StreamRequestBody: true, DisablePreParseMultipartForm: true})
	app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
	app.Post("/", func(c fiber.Ctx) error {
		_, err := c.FormFile("a")
		files, _ := os.ReadDir(dir)
		return c.SendString(fmt.Sprint(len(files), err))
	})
	url := serve(t, app)
	form := "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\n" + strings.Repeat("a", 1<<20) + "\r\n--b--\r\n"
	for _, version := range []string{"1.0", "1.1\r\nConnection: Upgrade\r\nUpgrade: websocket"} {
		conn, err := net.Dial("tcp", url[len("http://"):])
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = fmt.Fprintf(conn, "POST / HTTP/%s\r\nHost: app\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n%s\r\n%s", version, len(form), lines, form)
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		assert.Contains(t, string(answer), "1 <nil>")
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, files, version)
	}
}
