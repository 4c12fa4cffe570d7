package certauth

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

func levelOf(e *Event) slog.Level {
	if e.Err != nil {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// log writes the record of a request, unless it repeats another. Client text in it is quoted
// and cut when it is put into the event. The header's value is never part of it.
func (a *Authenticator) log(ctx context.Context, event *Event) {
	var seen repeated
	if event.Err != nil && !a.config.LogRepeats {
		var ended []repeated
		var first bool
		seen, first, ended = a.repeats.note(repeatKeyOf(event), event.Time)
		for _, kind := range ended {
			a.logEnded(event.Source, kind)
		}
		if !first {
			return
		}
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs, slog.String("source", event.Source), slog.String("peer", event.Peer.String()),
		slog.String("method", event.Method), slog.String("host", event.Host), slog.String("path", event.Path))
	attrs = appendText(attrs, "trace_id", event.TraceID)
	if event.Route {
		attrs = append(attrs, slog.Bool("route", true))
	}
	if err := event.Err; err != nil {
		attrs = append(attrs, slog.String("reason", string(err.Reason)), slog.String("rule", err.Rule),
			slog.String("detail", err.Error()), slog.String("hint", err.Hint))
	}
	attrs = appendText(attrs, "rule", event.Rule)
	attrs = appendCertificate(attrs, &event.Certificate)
	attrs = appendText(attrs, "server_auth", event.ServerAuth)
	if id := event.Identity; id != nil && len(id.Matched) > 0 {
		attrs = append(attrs, slog.Any("roles", id.Matched))
	}
	attrs = appendRevocation(attrs, &event.Revocation)
	a.config.Logger.LogAttrs(ctx, levelOf(event), "certauth: "+string(event.Outcome), seen.append(attrs)...)
}

// appendCertificate writes an unverified name under a key of its own, so that a query for verified
// names never finds it.
func appendCertificate(attrs []slog.Attr, info *CertificateInfo) []slog.Attr {
	attrs = appendText(attrs, "fingerprint", info.Fingerprint)
	if info.Verified {
		return appendText(attrs, "subject", info.Subject)
	}
	return appendText(attrs, "subject_unverified", info.Subject)
}

// appendText leaves out what is not known.
func appendText(attrs []slog.Attr, key, text string) []slog.Attr {
	if text == "" {
		return attrs
	}
	return append(attrs, slog.String(key, text))
}

func appendRevocation(attrs []slog.Attr, found *Revocation) []slog.Attr {
	if found.isZero() {
		return attrs
	}
	attrs = append(attrs, slog.String("revocation", found.Status.String()))
	attrs = appendText(attrs, "revocation_why", logtext.Line(found.Why, maxRequestText))
	if found.Stale {
		attrs = append(attrs, slog.Time("revocation_stale_since", found.NextUpdate.UTC().Truncate(time.Second)))
	}
	return attrs
}

// logEnded writes the remaining count of a kind of refusal that does not occur any more.
func (a *Authenticator) logEnded(source string, kind repeated) {
	attrs := []slog.Attr{slog.String("source", source)}
	attrs = appendText(attrs, "path", kind.key.path)
	attrs = appendText(attrs, "reason", string(kind.key.reason))
	attrs = appendText(attrs, "rule", kind.key.rule)
	attrs = appendText(attrs, "fingerprint", kind.key.certificate)
	message := "certauth: " + cmp.Or(string(kind.key.outcome), "refusals")
	a.config.Logger.LogAttrs(context.Background(), slog.LevelWarn, message, kind.append(attrs)...)
}
