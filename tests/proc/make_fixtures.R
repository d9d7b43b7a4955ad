# The figures that pROC (Robin et al., BMC Bioinformatics 2011) gives for scores.csv. Run once: Rscript make_fixtures.R
suppressMessages(library(pROC))
set.seed(1)
d <- read.csv("scores.csv")
out <- do.call(rbind, lapply(split(d, d$case), function(x) {
  a <- roc(x$label, x$a, levels = c(0, 1), direction = "<", quiet = TRUE)
  b <- roc(x$label, x$b, levels = c(0, 1), direction = "<", quiet = TRUE)
  ci_a <- ci.auc(a, method = "delong")
  ci_b <- ci.auc(b, method = "delong")
  boot <- ci.auc(a, method = "bootstrap", boot.n = 10000, boot.stratified = TRUE, progress = "none")
  test <- roc.test(a, b, method = "delong", paired = TRUE)
  data.frame(case = x$case[1], auc_a = as.numeric(auc(a)), low_a = ci_a[1], high_a = ci_a[3], var_a = var(a),
             auc_b = as.numeric(auc(b)), low_b = ci_b[1], high_b = ci_b[3], var_b = var(b),
             cov = cov(a, b), z = as.numeric(test$statistic), p = test$p.value,
             boot_low_a = boot[1], boot_high_a = boot[3])
}))
write.csv(format(out, digits = 12), "proc.csv", row.names = FALSE, quote = FALSE)
cat("pROC", as.character(packageVersion("pROC")), "\n")
