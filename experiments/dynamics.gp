# Training dynamics of a run, the four panels of the paper's Figure 2: gnuplot -c dynamics.gp metrics.csv out.svg title
csv = ARG1
out = ARG2
name = ARG3
set terminal svg size 1000,800 dynamic font "sans-serif,13" background "#ffffff"
set output out
set datafile separator ","
set key autotitle columnhead
set grid lc rgb "#e0e0e0"
set tics nomirror
set key outside bottom center horizontal
set xlabel "epochs done"
set xrange [0:*]
set style data linespoints
set pointsize 0.6
set bmargin 7
set multiplot layout 2,2 title name font ",15"
epochs = "(column('epoch')+1)"

set border 3
set title "Losses (mean over the epoch)"
set ylabel "loss"
plot csv using @epochs:"g_loss" title "generator" lw 2 lc rgb "#2060b0", \
     csv using @epochs:"c_loss" title "critic" lw 2 lc rgb "#b03030", \
     0 title "" with lines dt 2 lc rgb "#808080"

set title "Critic distance (mean over the epoch)"
set ylabel "mean score of real - mean score of fake"
plot csv using @epochs:"wasserstein_d" title "Wasserstein estimate" lw 2 lc rgb "#308040", \
     0 title "" with lines dt 2 lc rgb "#808080"

set border 11
set y2tics
set title "Audit (mean over the epoch)"
set ylabel "mean |m - c|, m = mean of D(fake)"
set y2label "mean |D(input)|"
set yrange [0:*]
set y2range [0:*]
plot csv using @epochs:"violations" title "violation (left)" lw 2 lc rgb "#7040a0", \
     csv using @epochs:"pattern_strength" axes x1y2 title "pattern strength (right)" lw 2 lc rgb "#40a0a0"

set title "Soft gate (temperature in the epoch, scale after it)"
set ylabel "temperature"
set y2label "scale"
set yrange [0:*]
set y2range [*:*]
plot csv using @epochs:"temperature" title "temperature (left)" lw 2 lc rgb "#d08020", \
     csv using @epochs:"scale" axes x1y2 title "scale (right)" lw 2 lc rgb "#805030"
unset multiplot
