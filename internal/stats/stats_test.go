package stats_test

import (
	"slices"
	"testing"
	"time"

	"github.com/scskit/scskit/internal/stats"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{4, 1}, 2.5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{10, 9, 2, 1}, 5.5},
	} {
		before := slices.Clone(tt.values)
		if got := stats.Median(tt.values); got != tt.want {
			t.Errorf("Median(%v) = %v, want %v", before, got, tt.want)
		}
		if !slices.Equal(tt.values, before) {
			t.Errorf("Median changed its argument from %v to %v", before, tt.values)
		}
	}
	times := []time.Duration{time.Second, time.Minute, time.Millisecond}
	if got := stats.Median(times); got != time.Second {
		t.Errorf("Median(%v) = %v, want 1s", times, got)
	}
}
