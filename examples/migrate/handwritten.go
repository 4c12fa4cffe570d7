package migrate

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Handwritten lets today's check decide as before, and logs where the future configuration would
// decide otherwise.
func Handwritten(future certauth.Config, today func(*http.Request) bool, next http.Handler) (http.Handler, error) {
	type decided struct{}
	logger := cmp.Or(future.Logger, slog.Default())
	future.InsecureReportOnly = true
	future.Observe = func(ctx context.Context, event certauth.Event) {
		old, asked := ctx.Value(decided{}).(bool)
		accepts := event.Outcome != certauth.OutcomeReported
		if asked && event.Method != "" && accepts != old {
			logger.WarnContext(ctx, "decisions differ", "path", event.Path, "today", old, "future", accepts,
				"reason", event.Reason(), "fingerprint", event.Certificate.Fingerprint)
		}
	}
	auth, err := certauth.New(future)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accepted := today(r) // before Admit, and on r: Admit removes the header from its own copy
		_, _ = auth.Admit(r.WithContext(context.WithValue(r.Context(), decided{}, accepted)))
		if !accepted {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}
